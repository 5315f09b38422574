package e2e

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"io"
)

// packageArchive is the npm package that the registry of the matrix has.
var packageArchive = func() []byte {
	var b bytes.Buffer
	gz := gzip.NewWriter(&b)
	archive := tar.NewWriter(gz)
	const text = `{"name":"hello","version":"1.0.0"}`
	check(archive.WriteHeader(&tar.Header{Name: "package/package.json", Mode: 0o644, Size: int64(len(text))}))
	io.WriteString(archive, text)
	check(archive.Close())
	check(gz.Close())
	return b.Bytes()
}()

var packageIntegrity = func() string {
	digest := sha512.Sum512(packageArchive)
	return "sha512-" + base64.StdEncoding.EncodeToString(digest[:])
}()

// wheel is the Python package that the index of the matrix has.
var wheel = func() []byte {
	var b bytes.Buffer
	archive := zip.NewWriter(&b)
	for _, file := range [][2]string{
		{"hello.py", "print('hello from the wheel')\n"},
		{"hello-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: hello\nVersion: 1.0\n"},
		{"hello-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: e2e\nRoot-Is-Purelib: true\nTag: py3-none-any\n"},
		{"hello-1.0.dist-info/RECORD", "hello.py,,\nhello-1.0.dist-info/METADATA,,\nhello-1.0.dist-info/WHEEL,,\nhello-1.0.dist-info/RECORD,,\n"},
	} {
		w, err := archive.Create(file[0])
		check(err)
		io.WriteString(w, file[1])
	}
	check(archive.Close())
	return b.Bytes()
}()
