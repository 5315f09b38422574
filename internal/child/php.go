package child

import (
	_ "embed"
	"fmt"
	"path/filepath"
)

//go:embed php/prepend.php
var phpPrepend []byte

// AddPHP adds support for PHP: it writes settings that make PHP trust the bundle, and the
// script that makes its streams use the proxy.
func (f *Files) AddPHP() error {
	f.PHP = filepath.Join(f.dir, "php")
	prepend := filepath.Join(f.PHP, "prepend.php")
	settings := fmt.Sprintf("curl.cainfo = %q\nopenssl.cafile = %[1]q\nauto_prepend_file = %q\n", f.Bundle, prepend)
	return writeDirectory(f.PHP, map[string][]byte{"authsome.ini": []byte(settings), "prepend.php": phpPrepend})
}

// setPHP makes PHP read the settings.
func (e *Environment) setPHP(env map[string]string) {
	if e.Files.PHP != "" {
		// An empty element means the directory that PHP was built with.
		env["PHP_INI_SCAN_DIR"] += string(filepath.ListSeparator) + e.Files.PHP
	}
}
