package vault

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// Every transaction is reported once, with its outcome.
func TestOnOperation(t *testing.T) {
	dir := t.TempDir()
	master := newMasterKey()
	v, err := Open(dir, master)
	if err != nil {
		t.Fatal(err)
	}
	type report struct {
		Operation
		Outcome
	}
	var got []report
	v.OnOperation = func(o Operation, outcome Outcome) { got = append(got, report{o, outcome}) }
	want := func(name string, o Operation, outcome Outcome) {
		t.Helper()
		if !slices.Equal(got, []report{{o, outcome}}) {
			t.Errorf("%s: reported %v, want %v %v", name, got, o, outcome)
		}
		got = nil
	}
	ctx := t.Context()
	v.Update(ctx, func(tx *Tx) error { return tx.Put("a", []byte("1")) })
	want("update", OperationUpdate, OutcomeOK)
	v.View(ctx, func(tx *Tx) error { _, err := tx.Get("a"); return err })
	want("view", OperationView, OutcomeOK)
	v.View(ctx, func(tx *Tx) error { _, err := tx.Get("b"); return err })
	want("missing record", OperationView, OutcomeNotFound)
	v.Update(ctx, func(*Tx) error { return errors.New("the caller's error") })
	want("caller's error", OperationUpdate, OutcomeAborted)

	unlock, err := v.lock(ctx, exclusive)
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	v.View(short, func(*Tx) error { return nil })
	cancel()
	unlock()
	want("locked", OperationView, OutcomeLocked)

	if err := os.RemoveAll(filepath.Join(dir, "vault")); err != nil {
		t.Fatal(err)
	}
	v.View(ctx, func(*Tx) error { return nil })
	want("damage", OperationView, OutcomeDamaged)
}
