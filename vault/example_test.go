package vault_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/authsome/authsome/vault"
)

// A program opens the vault of a profile that authsome created.
func ExampleReadKey() {
	user, err := os.UserHomeDir()
	if err != nil {
		log.Fatal(err)
	}
	home := filepath.Join(user, ".authsome")
	key, err := vault.ReadKey(home, vault.Place{Mode: vault.ModeLocalKey})
	if err != nil {
		log.Fatal(err)
	}
	v, err := vault.Open(filepath.Join(home, "profiles", "default"), key)
	if err != nil {
		log.Fatal(err)
	}
	err = v.View(context.Background(), func(tx *vault.Tx) error {
		records, err := tx.List("")
		for _, r := range records {
			fmt.Println(r.Key)
		}
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
}
