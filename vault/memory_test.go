package vault

import (
	"context"
	"fmt"
	"maps"
)

// memoryStore is a store without a disk. The records are in slot; the goroutine
// that took them out has the lock.
type memoryStore struct {
	slot chan memory
	seq  chan uint64
}

var (
	_ store = (*memoryStore)(nil)
	_ store = (*files)(nil)
)

func newMemoryStore() *memoryStore {
	m := &memoryStore{slot: make(chan memory, 1), seq: make(chan uint64, 1)}
	m.slot <- memory{}
	m.seq <- 1
	return m
}

func (m *memoryStore) generation() (uint64, error) {
	seq := <-m.seq
	m.seq <- seq
	return seq, nil
}

func (m *memoryStore) take(ctx context.Context) (memory, error) {
	select {
	case records := <-m.slot:
		return records, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrLocked, ctx.Err())
	}
}

func (m *memoryStore) view(ctx context.Context, fn func(uint64, storeTx) error) error {
	records, err := m.take(ctx)
	if err != nil {
		return err
	}
	seq, _ := m.generation()
	m.slot <- records // an update writes to a copy
	return fn(seq, readOnly{records})
}

func (m *memoryStore) update(ctx context.Context, fn func(uint64, storeTx) error) error {
	records, err := m.take(ctx)
	if err != nil {
		return err
	}
	next := maps.Clone(records)
	seq, _ := m.generation()
	if err := fn(seq, next); err != nil {
		m.slot <- records
		return err
	}
	<-m.seq
	m.seq <- seq + 1
	m.slot <- next
	return nil
}

type readOnly struct{ memory }

func (readOnly) set(string, []byte) error { return errReadOnly }
func (readOnly) delete(string) error      { return errReadOnly }
