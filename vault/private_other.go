//go:build !unix

package vault

import "os"

// checkPrivate relies on the access list that the home directory inherits.
func checkPrivate(*os.File) error { return nil }

// syncDir does nothing: directories cannot be synced here.
func syncDir(string) error { return nil }
