package push

// Whole is for tests.
var Whole = whole
