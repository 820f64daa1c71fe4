"""Files that come by HTTP: in the body of a request, or part by part; and those that were here before."""
