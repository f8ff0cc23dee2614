package dockerfile

func (t *translator) service(s *stage) string { return "" }
