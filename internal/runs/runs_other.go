//go:build !linux

package runs

// Enter does nothing.
func Enter(home, profile string) (leave func(), err error) { return func() {}, nil }

// Behind returns false: here, a process does not know its ancestors.
func Behind(home string) (bool, error) { return false, nil }

// Clean does nothing.
func Clean(home string) (running, removed int, err error) { return 0, 0, nil }
