package home

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/authsome/authsome/internal/durable"
)

// maxBackupName limits the name of a backup, in bytes. File systems allow 255.
const maxBackupName = 200

// separators replaces what cannot be part of a file's name on any system.
var separators = strings.NewReplacer("/", "%", `\`, "%", ":", "%")

// SaveBackup stores the old content of a user's file, which may contain keys, in the
// directory backups and returns the path of the copy. Its name is the file's path with %
// between the parts, so that it can be found; a number is added if that name exists.
func (h *Home) SaveBackup(of string, data []byte) (path string, err error) {
	of, err = filepath.Abs(of)
	if err != nil {
		return "", fmt.Errorf("save a backup: %w", err)
	}
	dir := filepath.Join(h.Dir, "backups")
	if err := makeDir(dir); err != nil {
		return "", err
	}
	name := separators.Replace(of)
	for len(name) > maxBackupName {
		_, size := utf8.DecodeRuneInString(name)
		name = name[size:] // the end says more than the start
	}
	path = filepath.Join(dir, name)
	for n := 2; ; n++ {
		err := durable.Create(path, data)
		if !errors.Is(err, fs.ErrExist) {
			if err != nil {
				err = fmt.Errorf("save a backup: %w", err)
			}
			return path, err
		}
		path = filepath.Join(dir, name+"."+strconv.Itoa(n))
	}
}
