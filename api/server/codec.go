package server

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"contactsd/api"
)

// jsonCodec is connect's JSON as every program of contactsd writes it: connect's
// own leaves out zero values and renames fields.
type jsonCodec struct{ name string }

func (c jsonCodec) Name() string { return c.name }

func (c jsonCodec) Marshal(v any) ([]byte, error) {
	m, ok := v.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("%T is no message", v)
	}
	return api.MarshalJSON(m)
}

func (c jsonCodec) Unmarshal(data []byte, v any) error {
	m, ok := v.(proto.Message)
	if !ok {
		return fmt.Errorf("%T is no message", v)
	}
	if len(data) == 0 {
		return nil // as connect does: a request of no fields
	}
	return api.UnmarshalJSON(data, m)
}
