package runs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"
)

func dir(home string) string { return filepath.Join(home, "runs") }

// Enter adds this process to the runs that serve a home, until leave is called. The
// profile is for people who look at the list. Entries of runs that were killed are
// removed.
func Enter(home, profile string) (leave func(), err error) {
	if err := os.Mkdir(dir(home), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("list this run: %w", err)
	}
	if _, _, err := Clean(home); err != nil {
		return nil, err
	}
	self, err := readProcess("self")
	if err != nil {
		return nil, fmt.Errorf("list this run: %w", err)
	}
	path := filepath.Join(dir(home), self.entry())
	lock, err := lockNew(path)
	if err != nil {
		return nil, fmt.Errorf("list this run: %w", err)
	}
	leave = func() {
		os.Remove(path)
		lock.Close()
	}
	if err := os.WriteFile(path, []byte("profile "+profile+"\n"), 0o600); err != nil {
		leave()
		return nil, fmt.Errorf("list this run: %w", err)
	}
	return leave, nil
}

// lockNew creates a file and locks it. Another process may remove the file before it is
// locked, because it seems to be left over; then it is created again.
func lockNew(path string) (*flock.Flock, error) {
	for range 100 {
		lock := flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o600))
		if err := lock.Lock(); err != nil {
			return nil, err
		}
		if isPresent(lock) {
			return lock, nil
		}
		lock.Close()
	}
	return nil, fmt.Errorf("%s is removed whenever it is created", path)
}

// isPresent reports whether the locked file is still the one at its path.
func isPresent(lock *flock.Flock) bool {
	locked, err := lock.Stat()
	if err != nil {
		return false
	}
	present, err := os.Stat(lock.Path())
	return err == nil && os.SameFile(locked, present)
}

// Clean removes the entries of runs that were killed, and counts them and the others.
// A run in another container counts as running: its pid means nothing here, but its
// lock does.
func Clean(home string) (running, removed int, err error) {
	names, err := entries(home)
	if err != nil {
		return 0, 0, err
	}
	for _, name := range names {
		lock := flock.New(filepath.Join(dir(home), name), flock.SetFlag(os.O_RDWR))
		switch free, err := lock.TryLock(); {
		case errors.Is(err, fs.ErrNotExist): // it has just ended
		case err != nil || !free:
			running++
		case isPresent(lock):
			if err := os.Remove(lock.Path()); err != nil {
				lock.Close()
				return running, removed, fmt.Errorf("remove a run that has ended: %w", err)
			}
			removed++
		}
		lock.Close()
	}
	return running, removed, nil
}

// Behind reports whether an ancestor of this process is a run that serves the home.
func Behind(home string) (bool, error) {
	names, err := entries(home)
	if err != nil || len(names) == 0 {
		return false, err
	}
	listed := make(map[string]bool)
	pids := make(map[string]bool)
	for _, name := range names {
		pid, _, _ := strings.Cut(name, "-")
		listed[name], pids[pid] = true, true
	}
	self, err := readProcess("self")
	if err != nil {
		return false, fmt.Errorf("find the parents of this process: %w", err)
	}
	for pid := self.parent; pid > 0; {
		p, err := readProcess(fmt.Sprint(pid))
		if err != nil {
			// /proc can be mounted so that it hides processes, those of a run too. Then the
			// pid decides.
			return pids[fmt.Sprint(pid)], nil
		}
		if listed[p.entry()] {
			return true, nil
		}
		pid = p.parent
	}
	return false, nil
}

// entries returns the names of the listed runs.
func entries(home string) ([]string, error) {
	all, err := os.ReadDir(dir(home))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the list of runs: %w", err)
	}
	var names []string
	for _, e := range all {
		names = append(names, e.Name())
	}
	return names, nil
}
