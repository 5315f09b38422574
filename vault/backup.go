package vault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"filippo.io/age"
	"github.com/go-json-experiment/json"
)

// Backup is what a backup file holds: the records of one vault, opened. Only the
// encryption of the file protects them, so nothing but [Vault.Restore] should
// get one.
type Backup struct {
	Format  int       `json:"format"`
	Profile string    `json:"profile"`
	Vault   string    `json:"vault"` // its ID
	Seq     uint64    `json:"seq"`
	Time    time.Time `json:"time"`
	Records []Record  `json:"records"`
	Retired []Record  `json:"retired,omitzero"` // what verifies the audit log in a vault with another key
}

// maxBackup bounds what is read of a backup, in bytes: 100 times what a vault of
// ten thousand connections has.
const maxBackup = 1 << 30

// ErrNotBackup says that a file is no backup, was changed or cut, or that the
// identity does not open it.
var ErrNotBackup = errors.New("not a whole backup")

// Backup writes every record to w as one file in the age format, encrypted to
// the recipients and authenticated from the first byte to the last.
func (v *Vault) Backup(ctx context.Context, w io.Writer, to ...age.Recipient) (*Backup, error) {
	b := &Backup{Format: format, Profile: v.profile(), Vault: v.id, Time: time.Now().UTC().Truncate(time.Second)}
	err := v.View(ctx, func(tx *Tx) (err error) {
		b.Seq = tx.seq
		keys := v.keys.Load()
		b.Retired = retired(v.id, keys.kid, keys.present())
		b.Records, err = tx.List("")
		return err
	})
	if err != nil {
		return nil, err
	}
	sealed, err := age.Encrypt(w, to...)
	if err != nil {
		return nil, fmt.Errorf("encrypt the backup: %w", err)
	}
	if err := json.MarshalWrite(sealed, b); err != nil {
		return nil, fmt.Errorf("write the backup: %w", err)
	}
	if err := sealed.Close(); err != nil {
		return nil, fmt.Errorf("write the backup: %w", err)
	}
	return b, nil
}

// IsBackup reports whether a file begins as one that [Vault.Backup] writes.
func IsBackup(r io.ReaderAt) bool {
	const intro = "age-encryption.org/" // https://c2sp.org/age
	b := make([]byte, len(intro))
	_, err := r.ReadAt(b, 0)
	return err == nil && string(b) == intro
}

// ReadBackup reads a backup to its end; what it returns is whole and genuine.
func ReadBackup(r io.Reader, as ...age.Identity) (*Backup, error) {
	opened, err := age.Decrypt(r, as...)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotBackup, err)
	}
	data, err := io.ReadAll(io.LimitReader(opened, maxBackup+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotBackup, err)
	}
	var b Backup
	if err := json.Unmarshal(data, &b); err != nil || len(data) > maxBackup || b.Format < 1 || b.Profile == "" {
		return nil, fmt.Errorf("%w: its content is something else", ErrNotBackup)
	}
	if b.Format > format {
		return nil, ErrNewerFormat
	}
	return &b, nil
}
