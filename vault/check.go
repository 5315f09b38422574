package vault

import (
	"context"
	"errors"
	"fmt"
)

// Report is the result of [Vault.Check].
type Report struct {
	Generation uint64
	Records    int            // the number of undamaged records
	Damage     []*DamageError // one for each damaged file and record
}

// Check verifies every file and decrypts every record. It continues after damage
// where it can. It returns an error only if something could not be checked.
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
				if err := r.add(err); err != nil {
					return r, err
				}
			}
			return r, nil
		}
		return r, r.add(err)
	}
	r.Generation = g.Seq
	return r, r.add(store.read(g, dir, func(seq uint64, t storeTx) error {
		if err := r.add((&Tx{v: v, t: t, seq: seq}).checkHead()); err != nil {
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
			return r.add(err)
		})
	}))
}

// add records damage in the report and returns other errors.
func (r *Report) add(err error) error {
	if err == nil {
		return nil
	}
	if damage, ok := errors.AsType[*DamageError](err); ok {
		r.Damage = append(r.Damage, damage)
		return nil
	}
	return fmt.Errorf("check the vault: %w", err)
}
