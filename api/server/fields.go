package server

import (
	"maps"
	"slices"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/contact"
	"contactsd/relation"
)

// fieldsOf returns custom fields by key.
func fieldsOf(fields map[string]contact.Value) []*contactsv1.Field {
	out := make([]*contactsv1.Field, 0, len(fields))
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		f := &contactsv1.Field{Key: key}
		if text, ok := fields[key].Text(); ok {
			f.Value = &contactsv1.Field_Text{Text: text}
		} else if data, ok := fields[key].Bytes(); ok {
			f.Value = &contactsv1.Field_Data{Data: data}
		} else if n, ok := fields[key].Number(); ok {
			f.Value = &contactsv1.Field_Number{Number: n}
		}
		out = append(out, f)
	}
	return out
}

// valueOf is none for a field without a value.
func valueOf(f *contactsv1.Field) contact.Value {
	switch v := f.GetValue().(type) {
	case *contactsv1.Field_Text:
		return contact.TextValue(v.Text)
	case *contactsv1.Field_Data:
		return contact.BytesValue(v.Data)
	case *contactsv1.Field_Number:
		return contact.NumberValue(v.Number)
	}
	return contact.Value{}
}

// editOf reads what is to be changed of a contact.
func editOf(req *contactsv1.SetContactRequest) (relation.Edit, error) {
	edit := relation.Edit{Remark: req.Remark, App: req.App}
	if req.Groups != nil {
		edit.Groups = &req.Groups.Names
	}
	if len(req.Fields) > 0 {
		edit.Fields = make(map[string]contact.Value, len(req.Fields))
	}
	for _, f := range req.Fields {
		if _, twice := edit.Fields[f.GetKey()]; twice {
			return edit, invalid("fields", "%q is there twice", clip(f.GetKey()))
		}
		edit.Fields[f.GetKey()] = valueOf(f)
	}
	return edit, nil
}
