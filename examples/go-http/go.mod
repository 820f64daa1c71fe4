module separation.example/separate-http

go 1.26.0
