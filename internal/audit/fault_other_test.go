//go:build !unix

package audit_test

import "errors"

// recoverFromFullDisk needs a limit on file sizes, which only Unix systems have.
func recoverFromFullDisk(string) error { return errors.ErrUnsupported }
