package vault

import (
	"bytes"
	"crypto/aes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/pb"
	"github.com/dgraph-io/badger/v4/table"
	"github.com/dgraph-io/badger/v4/y"
	"google.golang.org/protobuf/proto"

	"github.com/authsome/authsome/internal/durable"
)

// Badger's own writer does not suit a vault. It maps its files into memory, so a
// full disk kills the process with SIGBUS. After a kill it replays its logs and
// drops the entries that it cannot read. It keeps superseded values for a long
// time. So this file writes a database with ordinary writes, from the parts that
// Badger exports: the whole database at once, which is never modified afterwards.
// Badger only reads it.

const (
	tableLevel  = 1
	tableID     = 1
	manifestFmt = 8 // the version in MANIFEST's header
)

// writeBadger writes a database with the records to dir, an empty directory.
func writeBadger(dir string, key []byte, seq uint64, records memory) error {
	dataKey := &pb.DataKey{KeyId: 1, Data: make([]byte, keySize), Iv: make([]byte, aes.BlockSize), CreatedAt: time.Now().Unix()}
	rand.Read(dataKey.Data) // never fails
	rand.Read(dataKey.Iv)
	b := table.NewTableBuilder(table.Options{
		TableSize: 1 << 20, BlockSize: 4 << 10, BloomFalsePositive: 0.01, Compression: options.None, DataKey: dataKey,
	})
	defer b.Close()
	for _, k := range slices.Sorted(maps.Keys(records)) {
		b.Add(y.KeyWithTs([]byte(k), seq), y.ValueStruct{Value: records[k]}, 0)
	}
	if err := durable.Write(table.NewFilename(tableID, dir), b.Finish()); err != nil {
		return err
	}
	keys, err := registry(key, dataKey)
	if err != nil {
		return err
	}
	if err := durable.Write(filepath.Join(dir, badger.KeyRegistryFileName), keys); err != nil {
		return err
	}
	return durable.Write(filepath.Join(dir, badger.ManifestFilename), manifest(dataKey.KeyId))
}

// registry encodes KEYREGISTRY: a known text, with which Badger checks the store's
// key, and the table's key. Both are encrypted under the store's key.
func registry(key []byte, dataKey *pb.DataKey) ([]byte, error) {
	iv := make([]byte, aes.BlockSize)
	rand.Read(iv)
	known, err := y.XORBlockAllocate([]byte("Hello Badger"), key, iv)
	if err != nil {
		return nil, err
	}
	sealed := proto.CloneOf(dataKey)
	if sealed.Data, err = y.XORBlockAllocate(dataKey.Data, key, dataKey.Iv); err != nil {
		return nil, err
	}
	b, err := proto.Marshal(sealed)
	return appendChecked(append(iv, known...), b), err
}

// manifest encodes MANIFEST, a header and one change set, for a single table.
func manifest(keyID uint64) []byte {
	changes, err := proto.Marshal(&pb.ManifestChangeSet{Changes: []*pb.ManifestChange{{
		Id: tableID, Op: pb.ManifestChange_CREATE, Level: tableLevel, KeyId: keyID,
		EncryptionAlgo: pb.EncryptionAlgo_aes, Compression: uint32(options.None),
	}}})
	if err != nil {
		panic(err) // only strings that are not UTF-8 fail
	}
	b := append([]byte("Bdgr"), 0, 0, 0, manifestFmt)
	return appendChecked(b, changes)
}

// appendChecked appends the length and the checksum of data and then data, in
// Badger's layout.
func appendChecked(b, data []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(data)))
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(data, y.CastagnoliCrcTable))
	return append(b, data...)
}

// openBadger opens a database for reading, with the least memory that Badger can
// use. The caller must have checked every file: a damaged file can make Badger
// crash the process or lose records.
func openBadger(dir string, key []byte) (*badger.DB, error) {
	o := badger.DefaultOptions(dir)
	o.ReadOnly = true
	o.Logger = nil
	o.MetricsEnabled = false
	o.EncryptionKey = key
	o.EncryptionKeyRotationDuration = math.MaxInt64 // rotation of an old key would end a read-only process
	o.MemTableSize = 1 << 20
	o.NumMemtables = 1
	o.ValueLogFileSize = 1 << 20
	o.ValueThreshold = 64 << 10
	o.BlockCacheSize = 1 << 20
	o.IndexCacheSize = 1 << 20 // with an encryption key, 0 panics in a background goroutine
	db, err := badger.Open(o)
	switch {
	case err == nil:
		return db, nil
	case errors.Is(err, badger.ErrEncryptionKeyMismatch):
		return nil, &DamageError{Path: filepath.Join(dir, badger.KeyRegistryFileName), Reason: "it belongs to another vault", Err: err}
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("open the vault: %w", err)
	default:
		return nil, &DamageError{Path: dir, Reason: "the store cannot be opened: " + err.Error(), Err: err}
	}
}

// badgerTx is a read-only transaction.
type badgerTx struct{ t *badger.Txn }

var errReadOnly = errors.New("write outside of an update")

func (badgerTx) set(string, []byte) error { return errReadOnly }
func (badgerTx) delete(string) error      { return errReadOnly }

func (b badgerTx) get(key string) ([]byte, error) {
	item, err := b.t.Get([]byte(key))
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("read record %s: %w", key, err)
	}
	value, err := item.ValueCopy(nil)
	if err != nil {
		return nil, fmt.Errorf("read record %s: %w", key, err)
	}
	return value, nil
}

func (b badgerTx) list(prefix string, fn func(string, []byte) error) error {
	o := badger.DefaultIteratorOptions
	o.Prefix = []byte(prefix)
	it := b.t.NewIterator(o)
	defer it.Close()
	for it.Seek(o.Prefix); it.Valid(); it.Next() {
		item := it.Item()
		if !bytes.HasPrefix(item.Key(), o.Prefix) {
			break
		}
		value, err := item.ValueCopy(nil)
		if err != nil {
			return fmt.Errorf("read record %s: %w", item.Key(), err)
		}
		if err := fn(string(item.Key()), value); err != nil {
			return err
		}
	}
	return nil
}
