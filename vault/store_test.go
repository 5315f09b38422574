package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestStores tests what every kind of store must do. For each kind, open returns a
// function that opens a new store of generation 1. Each further call of the
// function opens the same store again, as another process would.
func TestStores(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) func() store{
		"memory": func(*testing.T) func() store {
			m := newMemoryStore()
			return func() store { return m }
		},
		"badger": func(t *testing.T) func() store {
			home := t.TempDir()
			return func() store {
				key, err := localKeeper(home).Load()
				if err != nil {
					t.Fatal(err)
				}
				v, err := Open(filepath.Join(home, "profile"), key)
				if err != nil {
					t.Fatal(err)
				}
				return v.store
			}
		},
	} {
		for what, test := range storeTests {
			t.Run(name+"/"+what, func(t *testing.T) { test(t, open(t)) })
		}
	}
}

// storeTests are the tests of TestStores.
var storeTests = map[string]func(*testing.T, func() store){
	"get, put and delete": testRecords,
	"list by prefix":      testList,
	"atomic update":       testAtomic,
	"generation":          testGeneration,
	"lock deadline":       testDeadline,
	"concurrent writers":  testWriters,
	"consistent views":    testViews,
}

func mustUpdate(t *testing.T, s store, fn func(storeTx) error) {
	t.Helper()
	if err := s.update(t.Context(), func(_ uint64, tx storeTx) error { return fn(tx) }); err != nil {
		t.Fatal(err)
	}
}

func mustView(t *testing.T, s store, fn func(storeTx) error) {
	t.Helper()
	if err := s.view(t.Context(), func(_ uint64, tx storeTx) error { return fn(tx) }); err != nil {
		t.Fatal(err)
	}
}

func testRecords(t *testing.T, open func() store) {
	values := map[string][]byte{"short": []byte("v"), "empty": {}, "long": bytes.Repeat([]byte("0123456789abcdef"), 20_000), "a:b:c ü": {0, 255, 10}}
	mustUpdate(t, open(), func(tx storeTx) error {
		for key, value := range values {
			if err := tx.set(key, value); err != nil {
				return err
			}
		}
		if got, err := tx.get("short"); string(got) != "v" || err != nil {
			t.Errorf("an update does not see its own write: %q, %v", got, err)
		}
		return nil
	})
	mustView(t, open(), func(tx storeTx) error {
		for key, want := range values {
			if got, err := tx.get(key); !bytes.Equal(got, want) || err != nil {
				t.Errorf("%s: got %d bytes, %v", key, len(got), err)
			}
		}
		if _, err := tx.get("none"); !errors.Is(err, ErrNotFound) {
			t.Errorf("missing record: %v", err)
		}
		if tx.set("short", nil) == nil || tx.delete("short") == nil {
			t.Error("a view wrote")
		}
		return nil
	})
	mustUpdate(t, open(), func(tx storeTx) error {
		if err := tx.set("long", []byte("replaced")); err != nil {
			return err
		}
		if err := tx.delete("none"); err != nil {
			t.Errorf("deleting a missing record: %v", err)
		}
		return tx.delete("short")
	})
	mustView(t, open(), func(tx storeTx) error {
		if _, err := tx.get("short"); !errors.Is(err, ErrNotFound) {
			t.Errorf("a deleted record: %v", err)
		}
		if got, err := tx.get("long"); string(got) != "replaced" || err != nil {
			t.Errorf("a replaced record: %.20q, %v", got, err)
		}
		return nil
	})
}

func listed(tx storeTx, prefix string) (string, error) {
	var all []string
	err := tx.list(prefix, func(key string, value []byte) error {
		all = append(all, key+"="+string(value))
		return nil
	})
	return strings.Join(all, " "), err
}

func testList(t *testing.T, open func() store) {
	keys := []string{"p:b", "p:a", "q", "p", "p:", "p:a:z", "pp"}
	check := func(tx storeTx) error {
		for prefix, want := range map[string]string{"p:": "p:=4 p:a=1 p:a:z=5 p:b=0", "q": "q=2", "none": "", "pp": "pp=6"} {
			if got, err := listed(tx, prefix); got != want || err != nil {
				t.Errorf("prefix %q lists %q, want %q: %v", prefix, got, want, err)
			}
		}
		stop := errors.New("stop")
		if err := tx.list("p", func(string, []byte) error { return stop }); !errors.Is(err, stop) {
			t.Errorf("list with an error of the function: %v", err)
		}
		return nil
	}
	mustUpdate(t, open(), func(tx storeTx) error {
		for i, key := range keys {
			if err := tx.set(key, []byte(strconv.Itoa(i))); err != nil {
				return err
			}
		}
		return check(tx)
	})
	mustView(t, open(), check)
}

func testAtomic(t *testing.T, open func() store) {
	s := open()
	mustUpdate(t, s, func(tx storeTx) error { return tx.set("kept", []byte("1")) })
	before, err := s.generation()
	if err != nil {
		t.Fatal(err)
	}
	wrong := errors.New("wrong")
	err = s.update(t.Context(), func(_ uint64, tx storeTx) error {
		tx.set("kept", []byte("2"))
		tx.set("more", nil)
		return wrong
	})
	if !errors.Is(err, wrong) {
		t.Errorf("got %v", err)
	}
	mustView(t, open(), func(tx storeTx) error {
		if got, err := listed(tx, "kept"); got != "kept=1" || err != nil {
			t.Errorf("after a failed update: %q, %v", got, err)
		}
		if _, err := tx.get("more"); !errors.Is(err, ErrNotFound) {
			t.Errorf("the record of a failed update: %v", err)
		}
		return nil
	})
	if after, err := s.generation(); after != before || err != nil {
		t.Errorf("a failed update changed the generation from %d to %d: %v", before, after, err)
	}
}

func testGeneration(t *testing.T, open func() store) {
	writer, reader := open(), open()
	for want := uint64(1); want < 4; want++ {
		if got, err := reader.generation(); got != want || err != nil {
			t.Fatalf("generation %d, want %d: %v", got, want, err)
		}
		err := reader.view(t.Context(), func(seq uint64, _ storeTx) error {
			if seq != want {
				t.Errorf("a view of generation %d, want %d", seq, want)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		mustUpdate(t, writer, func(storeTx) error { // an update without writes increments it too
			if got, err := reader.generation(); got != want || err != nil {
				t.Errorf("during an update: generation %d, want %d: %v", got, want, err)
			}
			return nil
		})
	}
}

func testDeadline(t *testing.T, open func() store) {
	mustUpdate(t, open(), func(storeTx) error {
		short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		unexpected := func(uint64, storeTx) error { t.Error("it ran during an update"); return nil }
		if err := open().view(short, unexpected); !errors.Is(err, ErrLocked) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a view during an update: %v", err)
		}
		cancelled, stop := context.WithCancel(t.Context())
		stop()
		if err := open().update(cancelled, unexpected); !errors.Is(err, ErrLocked) || !errors.Is(err, context.Canceled) {
			t.Errorf("an update during an update: %v", err)
		}
		return nil
	})
	mustView(t, open(), func(storeTx) error { return nil })
}

func testWriters(t *testing.T, open func() store) {
	const writers, each = 8, 5
	var all sync.WaitGroup
	for w := range writers {
		s := open()
		all.Go(func() {
			for range each {
				err := s.update(t.Context(), func(_ uint64, tx storeTx) error {
					b, err := tx.get("n")
					if err != nil && !errors.Is(err, ErrNotFound) {
						return err
					}
					n, _ := strconv.Atoi(string(b))
					if err := tx.set(fmt.Sprint("by ", w), b); err != nil {
						return err
					}
					return tx.set("n", []byte(strconv.Itoa(n+1)))
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	mustView(t, open(), func(tx storeTx) error {
		if got, err := tx.get("n"); string(got) != strconv.Itoa(writers*each) || err != nil {
			t.Errorf("%s of %d updates are stored: %v", got, writers*each, err)
		}
		return nil
	})
}

// A view never shows half of an update.
func testViews(t *testing.T, open func() store) {
	mustUpdate(t, open(), func(tx storeTx) error { return errors.Join(tx.set("a", []byte("0")), tx.set("b", []byte("0"))) })
	var all sync.WaitGroup
	done := make(chan struct{})
	for range 3 {
		s := open()
		all.Go(func() {
			for {
				err := s.view(t.Context(), func(_ uint64, tx storeTx) error {
					a, errA := tx.get("a")
					b, errB := tx.get("b")
					if !bytes.Equal(a, b) {
						t.Errorf("a view shows %s and %s", a, b)
					}
					return errors.Join(errA, errB)
				})
				if err != nil {
					t.Error(err)
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	s := open()
	for i := range 20 {
		mustUpdate(t, s, func(tx storeTx) error {
			value := []byte(strconv.Itoa(i))
			return errors.Join(tx.set("a", value), tx.set("b", value))
		})
	}
	close(done)
	all.Wait()
}

// A store that is gone, or that cannot be opened, is noticed by those who poll the
// generation, although the generation file itself has not changed.
func TestGenerationNoticesALostStore(t *testing.T) {
	for name, lose := range map[string]func(dir string) error{
		"renamed away": func(dir string) error { return os.Rename(dir, dir+".away") },
		"empty":        func(dir string) error { return errors.Join(os.Rename(dir, dir+".away"), os.Mkdir(dir, 0o700)) },
		"cut short":    func(dir string) error { return os.Truncate(filepath.Join(dir, "000001.sst"), 10) },
		"a loop": func(dir string) error {
			table := filepath.Join(dir, "000001.sst")
			return errors.Join(os.Remove(table), os.Symlink("000001.sst", table))
		},
	} {
		t.Run(name, func(t *testing.T) {
			v, _, _ := newVault(t)
			put(t, v, "k", "v")
			if _, err := v.Generation(); err != nil {
				t.Fatal(err)
			}
			if err := lose(v.path("vault")); err != nil {
				t.Fatal(err)
			}
			if got, err := v.Generation(); err == nil {
				t.Errorf("generation %d", got)
			}
		})
	}
}

// Updates replace the store while the generation is polled; that is not a loss.
func TestGenerationDuringUpdates(t *testing.T) {
	v, _, _ := newVault(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 40 {
			put(t, v, "k", "v")
		}
	}()
	for polls := 0; ; polls++ {
		if _, err := v.Generation(); err != nil {
			t.Fatalf("after %d polls: %v", polls, err)
		}
		select {
		case <-done:
			return
		default:
		}
	}
}
