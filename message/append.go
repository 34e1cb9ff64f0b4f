package message

import "contactsd/internal/codec"

// What is written for every message writes its own CBOR; see codec.Appender.

// spare is more than the fields of any of the records need but those whose length
// is added.
const spare = 192

// AppendCBOR implements codec.Appender.
func (r record) AppendCBOR(b []byte) []byte {
	m := codec.BeginMap(b, spare+len(r.Kind)+len(r.Body)+len(r.Note))
	m.Bytes(1, r.ID[:])
	m.Uint(2, uint64(r.Direction))
	m.Text(3, r.Kind)
	m.Bytes(4, r.Body)
	m.Uint(5, uint64(r.State))
	m.Uint(6, r.Sent)
	m.OptUint(7, r.Delivered)
	m.OptUint(8, r.Read)
	m.OptText(9, r.Note)
	return m.End()
}

// AppendCBOR implements codec.Appender.
func (p place) AppendCBOR(b []byte) []byte {
	m := codec.BeginMap(b, 64)
	m.Bytes(1, p.Contact[:])
	m.Uint(2, p.Order)
	m.Uint(3, uint64(p.Direction))
	return m.End()
}

// AppendCBOR implements codec.Appender.
func (p pending) AppendCBOR(b []byte) []byte {
	m := codec.BeginMap(b, 32)
	m.Uint(1, p.Queued)
	m.OptUint(2, p.Seq)
	m.OptTrue(3, p.Cancel)
	m.OptTrue(4, p.Skipped)
	return m.End()
}

// AppendCBOR implements codec.Appender.
func (f frame) AppendCBOR(b []byte) []byte {
	m := codec.BeginMap(b, spare+len(f.Kind)+len(f.Body)+len(f.Words))
	m.Uint(1, uint64(f.Type))
	if f.Epoch != nil {
		m.Bytes(2, f.Epoch[:])
	}
	m.OptUint(3, f.Seq)
	m.OptUint(4, f.To)
	if f.ID != nil {
		m.Bytes(5, f.ID[:])
	}
	m.OptUint(6, f.At)
	m.OptText(7, f.Kind)
	m.OptBytes(8, f.Body)
	m.OptUint(9, uint64(f.Skip))
	m.OptText(10, f.Words)
	if f.Have != nil {
		m.Append(11, f.Have)
	}
	m.OptTrue(12, f.Later)
	return m.End()
}

// AppendCBOR implements codec.Appender.
func (h have) AppendCBOR(b []byte) []byte {
	m := codec.BeginMap(b, spare)
	m.Bytes(1, h.Epoch[:])
	m.Uint(2, h.Seq)
	m.Bytes(3, h.ID[:])
	return m.End()
}
