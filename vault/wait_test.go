package vault

import (
	"context"
	"strings"
	"testing"
)

// A wait for the lock is told about, with who holds it, and goes on.
func TestWaitIsTold(t *testing.T) {
	v, _, _ := newVault(t)
	told := make(chan string, 1)
	v.OnWait = func(holder string) { told <- holder }
	unlock, err := lock(t.Context(), v.path("vault.lock"), exclusive, nil)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- v.View(context.WithoutCancel(t.Context()), func(*Tx) error { return nil }) }()
	if who := <-told; !strings.Contains(who, "vault.test") {
		t.Errorf("held by %q", who)
	}
	unlock()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
