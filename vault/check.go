package vault

import (
	"context"
	"errors"
	"fmt"
)

// Report is what [Vault.Check] found.
type Report struct {
	Generation uint64
	Records    int            // that open
	Damage     []*DamageError // each file and record that is not as it was left
}

// Check looks at every file and opens every record. It goes on behind damage
// where it can, and fails only if it could not look.
func (v *Vault) Check(ctx context.Context) (Report, error) {
	var r Report
	unlock, err := v.lock(ctx, shared)
	if err != nil {
		return r, err
	}
	defer unlock()
	store := v.files()
	g, dir, err := store.current()
	if err != nil {
		if g, err := store.readGeneration(); err == nil {
			for err := range g.differences(store.path("vault")) {
				if err := r.note(err); err != nil {
					return r, err
				}
			}
			return r, nil
		}
		return r, r.note(err)
	}
	r.Generation = g.Seq
	return r, r.note(store.read(g, dir, func(seq uint64, t storeTx) error {
		if err := r.note((&Tx{v: v, t: t, seq: seq}).checkHead()); err != nil {
			return err
		}
		return t.list("", func(key string, sealed []byte) error {
			if key == headKey {
				return nil
			}
			_, err := v.unseal(key, sealed)
			if err == nil {
				r.Records++
			}
			return r.note(err)
		})
	}))
}

// note takes damage into the report, and gives other errors back.
func (r *Report) note(err error) error {
	if err == nil {
		return nil
	}
	if damage, ok := asDamage(err); ok {
		r.Damage = append(r.Damage, damage)
		return nil
	}
	return fmt.Errorf("check the vault: %w", err)
}

func asDamage(err error) (*DamageError, bool) { return errors.AsType[*DamageError](err) }
