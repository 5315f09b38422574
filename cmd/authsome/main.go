// Command authsome gives AI agents access to HTTPS APIs without giving them the
// keys. This package is the program: one file per command, its flags, wording,
// hints, and how the parts are put together. What a credential is, how it is
// stored and how requests are changed is the business of other packages.
//
// Its one invariant: stdout has what was asked for and stderr has everything else,
// and neither has a secret that was not asked for by name.
package main

import (
	"context"
	"os"
)

func main() {
	guardMemory()
	os.Exit(execute(context.Background(), newApp(), os.Args[1:]))
}
