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

// Backup is the content of a backup file: the decrypted records of one vault.
// Only the encryption of the file protects them, so pass a Backup to [Restore] and
// to nothing else.
type Backup struct {
	Format  int       `json:"format"`
	Profile string    `json:"profile"`
	Vault   string    `json:"vault"` // its ID
	Seq     uint64    `json:"seq"`   // its generation
	Time    time.Time `json:"time"`
	Records []Record  `json:"records"`
	Retired []Record  `json:"retired,omitzero"` // keys that verify this vault's audit log after a restore elsewhere
}

// maxBackup limits how much of a backup is read, in bytes. A vault with ten
// thousand connections needs a hundredth of it.
const maxBackup = 1 << 30

// ErrNotBackup means that a file is not a backup, that it was modified or
// truncated, or that the identity does not decrypt it.
var ErrNotBackup = errors.New("cannot read the backup")

// Backup writes every record to w as one file in the age format, encrypted to
// the recipients and authenticated from the first byte to the last.
func (v *Vault) Backup(ctx context.Context, w io.Writer, to ...age.Recipient) (*Backup, error) {
	b := &Backup{Format: format, Profile: v.profile(), Vault: v.id, Time: time.Now().UTC().Truncate(time.Second)}
	err := v.View(ctx, func(tx *Tx) (err error) {
		b.Seq = tx.seq
		keys := v.keys.Load()
		b.Retired = retired(v.id, keys.kid, keys.current())
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

// IsBackup reports whether a file starts like one that [Vault.Backup] writes.
func IsBackup(r io.ReaderAt) bool {
	const intro = "age-encryption.org/" // https://c2sp.org/age
	b := make([]byte, len(intro))
	_, err := r.ReadAt(b, 0)
	return err == nil && string(b) == intro
}

// ReadBackup decrypts a backup. It reads to the end of the file first, so the
// Backup that it returns is complete and authentic.
func ReadBackup(r io.Reader, as ...age.Identity) (*Backup, error) {
	opened, err := age.Decrypt(r, as...)
	if _, ok := errors.AsType[*age.NoIdentityMatchError](err); ok {
		return nil, fmt.Errorf("%w: this passphrase or identity does not decrypt it", ErrNotBackup)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotBackup, err)
	}
	data, err := io.ReadAll(io.LimitReader(opened, maxBackup+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotBackup, err)
	}
	var b Backup
	if err := json.Unmarshal(data, &b); err != nil || len(data) > maxBackup || b.Format < 1 || b.Profile == "" {
		return nil, fmt.Errorf("%w: unexpected content", ErrNotBackup)
	}
	if b.Format > format {
		return nil, ErrNewerFormat
	}
	return &b, nil
}
