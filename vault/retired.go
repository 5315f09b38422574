package vault

// When a vault gets a new data key, the keys that were derived from the old one
// are kept as records, so that what was authenticated under them can still be
// verified. The old data key cannot be computed from them. The name of such a
// record is retired:<label>:<key ID>.
const retiredPrefix = "retired:"

var retiredLabels = []string{"audit"}

func retired(id, kid string, s *sealer) []Record {
	var all []Record
	for _, label := range retiredLabels {
		all = append(all, Record{retiredPrefix + label + ":" + kid, derive(s.data, id, label)})
	}
	return all
}

// Retire stores a key that another vault derived for a label, for the time when
// that vault no longer exists.
func (tx *Tx) Retire(label string, key []byte) error {
	return tx.Put(retiredPrefix+label+":"+kidOf(key), key)
}

// RetiredKeys returns the keys that [Vault.DeriveKey] derived for a label from the
// vault's earlier data keys, and the keys stored with [Tx.Retire].
func (tx *Tx) RetiredKeys(label string) ([][]byte, error) {
	records, err := tx.List(retiredPrefix + label + ":")
	var keys [][]byte
	for _, r := range records {
		keys = append(keys, r.Value)
	}
	return keys, err
}
