(
    :data_type::text IN (
        lower(code.coding_code), split_part(lower(code.coding_code), ':', 2), translate(lower(code.text), ' _', '--')
    )
)
