FHIR_EXTRA = "Elements of the FHIR resource that no column holds, as they were sent; what a column says wins."
