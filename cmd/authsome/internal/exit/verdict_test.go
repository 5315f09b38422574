package exit

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

// An error that keeps the vault from being used is exit code 7 with a remedy.
func TestStoreVerdicts(t *testing.T) {
	for _, c := range []struct {
		err  error
		code int
		hint string
	}{
		{&vault.DamageError{Path: "vault/MANIFEST", Reason: "missing", Err: fs.ErrNotExist}, Store, "authsome vault check"},
		{vault.ErrWrongKey, Store, "restore the master.key"},
		{fmt.Errorf("%w, 12 (authsome): %w", vault.ErrLocked, context.DeadlineExceeded), Store, "try again"},
		{vault.ErrNewerFormat, Store, "install"},
		{vault.ErrKeyExposed, Store, "chmod 600"},
		{&os.PathError{Op: "write", Path: "vault.new/MANIFEST", Err: syscall.ENOSPC}, Store, "free some disk space"},
		{&os.PathError{Op: "open", Path: "generation.new", Err: syscall.EROFS}, Store, "read-only"},
		{&os.PathError{Op: "open", Path: "generation", Err: syscall.EACCES}, Store, "as the user who owns"},
		{vault.ErrNotBackup, Usage, "nothing was changed"},
		{vault.ErrNotEmpty, Error, "--force"},
	} {
		if v := Judge(fmt.Errorf("doing it: %w", c.err)); v.Code != c.code || !strings.Contains(v.Next.In(""), c.hint) {
			t.Errorf("%v: %+v", c.err, v)
		}
	}
}
