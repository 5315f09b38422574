package vault

import (
	"bytes"
	"fmt"
	"testing"
)

// The benchmarks include opening and closing the store, as every transaction does.
func BenchmarkView(b *testing.B) {
	for _, records := range []int{100, 10_000} {
		b.Run(fmt.Sprint(records, " records"), func(b *testing.B) {
			v := newFilledVault(b, records)
			for b.Loop() {
				if err := v.View(b.Context(), func(tx *Tx) error { _, err := tx.Get("k:7"); return err }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkList(b *testing.B) {
	v := newFilledVault(b, 10_000)
	for b.Loop() {
		if err := v.View(b.Context(), func(tx *Tx) error { _, err := tx.List(""); return err }); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUpdate(b *testing.B) {
	for _, records := range []int{100, 10_000} {
		b.Run(fmt.Sprint(records, " records"), func(b *testing.B) {
			v := newFilledVault(b, records)
			for b.Loop() {
				put(b, v, "k:7", string(bytes.Repeat([]byte("v"), 400)))
			}
		})
	}
}

func newFilledVault(b *testing.B, records int) *Vault {
	b.Helper()
	v, _, _ := newVault(b)
	err := v.Update(b.Context(), func(tx *Tx) error {
		for i := range records {
			if err := tx.Put(fmt.Sprint("k:", i), bytes.Repeat([]byte("v"), 400)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return v
}
