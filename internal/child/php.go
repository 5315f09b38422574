package child

import (
	"fmt"
	"os"
	"path/filepath"
)

// AddPHP adds support for PHP: it writes settings that make PHP trust the bundle.
func (f *Files) AddPHP() error {
	f.PHP = filepath.Join(f.dir, "php")
	if err := os.Mkdir(f.PHP, 0o700); err != nil {
		return fmt.Errorf("write the settings of the command: %w", err)
	}
	settings := fmt.Sprintf("curl.cainfo = %q\nopenssl.cafile = %[1]q\n", f.Bundle)
	if err := os.WriteFile(filepath.Join(f.PHP, "authsome.ini"), []byte(settings), 0o600); err != nil {
		return fmt.Errorf("write the settings of the command: %w", err)
	}
	return nil
}

// setPHP makes PHP read the settings.
func (e *Environment) setPHP(env map[string]string) {
	if e.Files.PHP != "" {
		// An empty element means the directory that PHP was built with.
		env["PHP_INI_SCAN_DIR"] += string(filepath.ListSeparator) + e.Files.PHP
	}
}
