/**
 * How many times as long as usual the tests wait for a helper: TEST_PATIENCE, for a machine that is much slower than its
 * clock, as an emulated one is (`scripts/test-arm64`).
 */
export const patience = Number(process.env['TEST_PATIENCE'] ?? 1);
