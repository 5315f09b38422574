package vault

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"

	"github.com/authsome/authsome/internal/regular"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// generation is the small file next to the store. It has the number of the last
// update, and the size and checksum of each file of the store. Replacing it is the
// moment at which an update takes effect. Its MAC authenticates the file list, so
// a store that was modified, or that is older or from another vault, is detected.
type generation struct {
	Seq   uint64       `json:"seq"`
	KID   string       `json:"kid"`
	Files []sealedFile `json:"files"`
	MAC   []byte       `json:"mac"` // HMAC-SHA256 of the other members
}

type sealedFile struct {
	Name string `json:"name"`
	Size int64  `json:"size"`
	Sum  []byte `json:"sha256"`
}

func (g generation) encode() []byte {
	b, err := json.Marshal(g, jsontext.Multiline(true))
	if err != nil {
		panic(err) // only names that are not UTF-8 fail
	}
	return append(b, '\n')
}

func (g generation) mac(key []byte) []byte {
	g.MAC = nil
	h := hmac.New(sha256.New, key)
	h.Write(g.encode())
	return h.Sum(nil)
}

// decodeGeneration accepts exactly the bytes that encode writes. It does not
// check the MAC.
func decodeGeneration(b []byte) (g generation, ok bool) {
	err := json.Unmarshal(b, &g)
	return g, err == nil && bytes.Equal(b, g.encode())
}

func readGeneration(path string) (generation, error) {
	b, err := readSmall(path)
	if errors.Is(err, os.ErrNotExist) {
		return generation{}, &DamageError{Path: path, Reason: reasonMissing, Err: err}
	}
	if err != nil {
		return generation{}, err
	}
	g, ok := decodeGeneration(b)
	if !ok {
		return generation{}, &DamageError{Path: path, Reason: "modified"}
	}
	return g, nil
}

const (
	maxSmall = 1 << 20 // of vault.json and generation, in bytes
	maxStore = 1 << 30 // of a file of a store that this process wrote
)

// readSmall reads vault.json or generation. Something else in its place is damage.
func readSmall(path string) ([]byte, error) {
	b, err := regular.Read(path, maxSmall)
	if e, ok := errors.AsType[*regular.Error](err); ok {
		return nil, &DamageError{Path: path, Reason: e.Reason(), Err: err}
	}
	if e, ok := errors.AsType[*regular.SizeError](err); ok {
		return nil, &DamageError{Path: path, Reason: e.Reason(), Err: err}
	}
	if err != nil {
		return nil, fmt.Errorf("read the vault: %w", err)
	}
	return b, nil
}

// inventory lists the files of a directory with their sizes and checksums.
func inventory(dir string) ([]sealedFile, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var all []sealedFile
	for _, e := range entries {
		f, err := sumFile(filepath.Join(dir, e.Name()), maxStore)
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	return all, nil
}

func sumFile(path string, limit int64) (sealedFile, error) {
	b, err := regular.Read(path, limit)
	if err != nil {
		return sealedFile{}, err
	}
	digest := sha256.Sum256(b)
	return sealedFile{filepath.Base(path), int64(len(b)), digest[:]}, nil
}

// check compares a store with the file list and returns the first difference.
func (g generation) check(dir string) error {
	for err := range g.differences(dir) {
		return err
	}
	return nil
}

// differences yields a [*DamageError] for each file of a store that differs from
// the file list, or the error that prevented the check.
func (g generation) differences(dir string) iter.Seq[error] {
	return func(yield func(error) bool) {
		entries, err := os.ReadDir(dir)
		if errors.Is(err, os.ErrNotExist) {
			yield(&DamageError{Path: dir, Reason: reasonMissing, Err: err})
			return
		}
		if err != nil {
			yield(fmt.Errorf("read the vault: %w", err))
			return
		}
		for _, want := range g.Files {
			if err := want.check(dir); err != nil && !yield(err) {
				return
			}
		}
		for _, e := range entries {
			known := slices.ContainsFunc(g.Files, func(f sealedFile) bool { return f.Name == e.Name() })
			if !known && !yield(&DamageError{Path: filepath.Join(dir, e.Name()), Reason: "not a file of this store"}) {
				return
			}
		}
	}
}

// present is check without the content of the files.
func (g generation) present(dir string) error {
	for _, want := range g.Files {
		if err := want.present(dir); err != nil {
			return err
		}
		f, err := regular.Open(filepath.Join(dir, want.Name))
		if err != nil {
			return fmt.Errorf("read the vault: %w", err)
		}
		f.Close()
	}
	return nil
}

func (want sealedFile) check(dir string) error {
	if err := want.present(dir); err != nil {
		return err
	}
	path := filepath.Join(dir, want.Name)
	got, err := sumFile(path, want.Size)
	if err != nil {
		return fmt.Errorf("read the vault: %w", err)
	}
	if !bytes.Equal(got.Sum, want.Sum) {
		return &DamageError{Path: path, Reason: "checksum mismatch: modified, or from another vault or backup"}
	}
	return nil
}

// present checks that the file is there, with its size.
func (want sealedFile) present(dir string) error {
	path := filepath.Join(dir, want.Name)
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return &DamageError{Path: path, Reason: "missing", Err: err}
	case err != nil:
		return fmt.Errorf("read the vault: %w", err)
	case !info.Mode().IsRegular():
		return &DamageError{Path: path, Reason: (&regular.Error{Path: path, Mode: info.Mode()}).Reason()}
	case info.Size() != want.Size:
		return &DamageError{Path: path, Reason: fmt.Sprintf("it has %d bytes instead of %d", info.Size(), want.Size)}
	}
	return nil
}
