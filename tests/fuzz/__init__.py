"""What strangers' bytes reach first, given bytes that hypothesis makes up; `make fuzz` goes on for about an hour."""
