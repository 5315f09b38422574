package child

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/authsome/authsome/internal/regular"
)

// certutilTime limits a change of the database.
const certutilTime = 20 * time.Second

// nssEntry is a certificate in a database of NSS, which must be removed when the run has
// ended.
type nssEntry struct{ database, nickname string }

// nssRecord is a file in the directory of a run. It has the run's nssEntry, for the run
// that removes the directory if this one is killed.
const nssRecord = "nss"

// maxNSSRecord limits the size of that file, in bytes.
const maxNSSRecord = 8 << 10

// AddChromium adds support for Chromium, which reads the proxy variables, but no file of
// certificates: until Close, the NSS database of the user trusts certificate, in PEM.
// Chromium has no variable for another database, and its launchers none for its flags.
// So the certificate must be constrained to the intercepted hosts. name must be unique.
func (f *Files) AddChromium(getenv func(string) string, name string, certificate []byte) error {
	if runtime.GOOS != "linux" {
		return &unavailableError{Chromium, "it reads certificates from a database of its user only on Linux"}
	}
	if _, err := exec.LookPath("certutil"); err != nil {
		return &unavailableError{Chromium, "certutil is missing; install libnss3-tools (on Fedora nss-tools, on Arch nss)"}
	}
	database, err := nssDatabase(getenv)
	if err != nil {
		return err
	}
	e := &nssEntry{database, name}
	file, record := filepath.Join(f.dir, "chromium.pem"), filepath.Join(f.dir, nssRecord)
	// The record is written first, so that a run that is killed leaves no certificate
	// that another run cannot find.
	for path, data := range map[string]string{file: string(certificate), record: e.database + "\n" + e.nickname} {
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			return fmt.Errorf("write the settings of the command: %w", err)
		}
	}
	if err := certutil("-A", "-d", "sql:"+e.database, "-n", e.nickname, "-t", "C,,", "-i", file); err != nil {
		os.Remove(record)
		return &unavailableError{Chromium, err.Error()}
	}
	f.nss = e
	return nil
}

// nssDatabase returns the directory of the database that Chromium reads, which is created
// if necessary. Newer versions read the one in ~/.local/share if ~/.pki does not exist.
func nssDatabase(getenv func(string) string) (string, error) {
	home := getenv("HOME")
	if home == "" {
		return "", &unavailableError{Chromium, "HOME is not set, so its database of certificates is unknown"}
	}
	data := getenv("XDG_DATA_HOME")
	if data == "" {
		data = filepath.Join(home, ".local", "share")
	}
	dir, newer := filepath.Join(home, ".pki", "nssdb"), filepath.Join(data, "pki", "nssdb")
	if _, err := os.Stat(dir); err != nil && hasDatabase(newer) {
		return newer, nil
	}
	if hasDatabase(dir) {
		return dir, nil
	}
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		err = certutil("-N", "-d", "sql:"+dir, "--empty-password")
	}
	if err != nil {
		return "", &unavailableError{Chromium, err.Error()}
	}
	return dir, nil
}

func hasDatabase(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "cert9.db"))
	return err == nil
}

// readNSSEntry returns the certificate of the run with a directory, or nil.
func readNSSEntry(dir string) *nssEntry {
	record, err := regular.Read(filepath.Join(dir, nssRecord), maxNSSRecord)
	if err != nil {
		return nil
	}
	database, nickname, _ := strings.Cut(string(record), "\n")
	return &nssEntry{database, nickname}
}

func (e *nssEntry) remove() error {
	if e == nil {
		return nil
	}
	if err := certutil("-D", "-d", "sql:"+e.database, "-n", e.nickname); err != nil {
		return fmt.Errorf("remove the run's certificate from %s: %w", e.database, err)
	}
	return nil
}

// certutil changes a database of certificates.
func certutil(args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), certutilTime)
	defer cancel()
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, "certutil", args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		line, _, _ := strings.Cut(strings.TrimSpace(out.String()), "\n")
		return fmt.Errorf("certutil %s: %w: %s", args[0], err, line)
	}
	return nil
}
