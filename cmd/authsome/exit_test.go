package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/authsome/authsome/vault"
)

// Whatever keeps the vault from being used is exit code 7 with a remedy.
func TestStoreVerdicts(t *testing.T) {
	for _, c := range []struct {
		err  error
		exit int
		hint string
	}{
		{&vault.DamageError{Path: "vault/MANIFEST", Reason: "missing", Err: fs.ErrNotExist}, exitStore, "authsome vault check"},
		{vault.ErrWrongKey, exitStore, "put the master.key back"},
		{fmt.Errorf("%w, 12 (authsome): %w", vault.ErrLocked, context.DeadlineExceeded), exitStore, "try again"},
		{vault.ErrNewerFormat, exitStore, "install"},
		{vault.ErrKeyExposed, exitStore, "chmod 600"},
		{&os.PathError{Op: "write", Path: "vault.new/MANIFEST", Err: syscall.ENOSPC}, exitStore, "free some space"},
		{&os.PathError{Op: "open", Path: "generation.new", Err: syscall.EROFS}, exitStore, "read-only"},
		{&os.PathError{Op: "open", Path: "generation", Err: syscall.EACCES}, exitStore, "as the user who owns"},
		{vault.ErrNotBackup, exitError, "nothing was changed"},
		{vault.ErrNotEmpty, exitError, "--force"},
	} {
		if v := judge(fmt.Errorf("doing it: %w", c.err)); v.exit != c.exit || !strings.Contains(v.hint, c.hint) {
			t.Errorf("%v: %+v", c.err, v)
		}
	}
}
