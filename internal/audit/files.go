package audit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// logFiles returns the files of the log at path, oldest first: the archives, and
// the current file if it exists.
func logFiles(path string) ([]string, error) {
	files, err := filepath.Glob(archivePattern(path))
	if err != nil {
		return nil, fmt.Errorf("find audit logs: %w", err)
	}
	slices.Sort(files) // by the times in their names
	switch _, err := os.Stat(path); {
	case err == nil:
		files = append(files, path)
	case !errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("find audit logs: %w", err)
	}
	return files, nil
}

// noArchive is the time of the newest archive of a log without one. It sorts before every
// time.
const noArchive = "none"

// newestArchive returns the time in the name of the newest archive, or noArchive.
func newestArchive(path string) string {
	files, err := filepath.Glob(archivePattern(path))
	if err != nil || len(files) == 0 {
		return noArchive
	}
	return archivedAt(path, slices.Max(files))
}

// archivedAt is the time in the name of an archive, as text.
func archivedAt(path, file string) string {
	base, ext := splitExt(path)
	return strings.TrimSuffix(strings.TrimPrefix(file, base+"-"), ext)
}

// sameFile reports whether f is the file at path.
func sameFile(path string, f *os.File) bool {
	at, err := os.Stat(path)
	if err != nil {
		return false
	}
	open, err := f.Stat()
	return err == nil && os.SameFile(at, open)
}

// archiveLayout is the time in the name of an archive: audit.log is archived as
// audit-TIME.log.
const archiveLayout = "20060102T150405.000000Z"

func archivePattern(path string) string {
	base, ext := splitExt(path)
	return base + "-[0-9]*" + ext
}

func archiveName(path string, at time.Time) string {
	base, ext := splitExt(path)
	return base + "-" + at.UTC().Format(archiveLayout) + ext
}

func archiveTime(path, file string) (time.Time, error) {
	return time.Parse(archiveLayout, archivedAt(path, file))
}

func splitExt(path string) (base, ext string) {
	ext = filepath.Ext(path)
	return strings.TrimSuffix(path, ext), ext
}
