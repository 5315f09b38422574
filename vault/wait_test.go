package vault

import (
	"context"
	"strings"
	"testing"
)

// OnWait is called with the process that holds the lock, and the wait continues.
func TestOnWait(t *testing.T) {
	v, _, _ := newVault(t)
	reported := make(chan string, 1)
	v.OnWait = func(holder string) { reported <- holder }
	unlock, err := lock(t.Context(), v.path("vault.lock"), exclusive, nil)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- v.View(context.WithoutCancel(t.Context()), func(*Tx) error { return nil }) }()
	if who := <-reported; !strings.Contains(who, "vault.test") {
		t.Errorf("held by %q", who)
	}
	unlock()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
