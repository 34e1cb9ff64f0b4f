package relation

import (
	"maps"
	"slices"

	"contactsd/contact"
	"contactsd/store"
)

// Edit is what the user changes of a contact; nil leaves as it is.
type Edit struct {
	Remark *string                  // the user's own name for it, "" takes it away
	App    *string                  // keyword of the application it came by
	Groups *[]string                // all groups it is in, by name
	Fields map[string]contact.Value // custom fields; the zero Value takes one away
}

// Edit changes a contact, all of it or nothing. Errors: ErrNotFound, also for a
// removed contact, ErrBlocked, ErrNoGroup, *contact.LimitError,
// *contact.InvalidError.
func (s *Service) Edit(peer contact.ODID, edit Edit) error {
	if err := edit.check(); err != nil {
		return err
	}
	if edit.Remark == nil && edit.App == nil && edit.Groups == nil && len(edit.Fields) == 0 {
		return nil
	}
	return s.update(peer, func(tx *store.Tx, e *entry) error {
		d, _, err := e.details(tx)
		if err != nil {
			return err
		}
		fields, err := edit.fields(d.Fields)
		if err != nil {
			return err
		}
		groups, err := edit.groups(tx, d.Groups)
		if err != nil {
			return err
		}
		return s.describe(tx, e, func(d *details) {
			if edit.Remark != nil {
				d.Remark = *edit.Remark
			}
			if edit.App != nil {
				d.App = *edit.App
			}
			d.Groups, d.Fields = groups, fields
		})
	})
}

// SetRemark sets the user's own name for a contact; "" takes it away.
func (s *Service) SetRemark(peer contact.ODID, remark string) error {
	return s.Edit(peer, Edit{Remark: &remark})
}

func (edit Edit) check() error {
	if edit.Remark != nil {
		if err := contact.CheckText("remark", *edit.Remark, contact.MaxRemarkSize); err != nil {
			return err
		}
	}
	if edit.App != nil {
		if err := contact.CheckApp(*edit.App); err != nil {
			return err
		}
	}
	for _, key := range slices.Sorted(maps.Keys(edit.Fields)) { // so that the same is told each time
		if err := contact.CheckField(key, edit.Fields[key]); err != nil {
			return err
		}
	}
	return nil
}

// fields returns what becomes of the custom fields that there are.
func (edit Edit) fields(was map[string]contact.Value) (map[string]contact.Value, error) {
	if len(edit.Fields) == 0 {
		return was, nil
	}
	is := make(map[string]contact.Value, len(was)+len(edit.Fields))
	maps.Copy(is, was)
	maps.Copy(is, edit.Fields)
	maps.DeleteFunc(is, func(_ string, v contact.Value) bool { return v.IsZero() })
	if len(is) > contact.MaxFields && len(is) > len(was) {
		return nil, &contact.LimitError{Field: "contact", Got: len(is), Limit: contact.MaxFields, Unit: "fields"}
	}
	return is, nil
}

// groups returns the ids of the groups that the contact is then in.
func (edit Edit) groups(tx *store.Tx, was []groupID) ([]groupID, error) {
	if edit.Groups == nil {
		return was, nil
	}
	g, err := loadGroups(tx)
	if err != nil {
		return nil, err
	}
	var ids []groupID
	for _, name := range *edit.Groups {
		o, err := g.find(name)
		if err != nil {
			return nil, err
		}
		ids = append(ids, o.ID)
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}
