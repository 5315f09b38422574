// Write makes the homes of a Python authsome again; see ../README.md.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/authsome/authsome/internal/pythonhome/hometest"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: write DIR")
		os.Exit(2)
	}
	for name, home := range hometest.Fixtures {
		if err := home.Write(filepath.Join(os.Args[1], name)); err != nil {
			fmt.Fprintln(os.Stderr, "write: error:", err)
			os.Exit(1)
		}
	}
}
