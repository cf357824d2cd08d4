-- Note with which accounts a manifest was read again, and how many of its rows were taken that had been refused.
update raw.order_file set accounts = $accounts, reject_count = reject_count - $taken
where file_sha256 = $file_sha256;
