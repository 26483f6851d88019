/** `a, b, c and 7 more`: names the first few of a list that may be long. */
export function firstFew(names: readonly string[], limit = 5): string {
  const rest = names.length - limit;
  if (rest <= 0) return names.join(", ");
  return `${names.slice(0, limit).join(", ")} and ${rest} more`;
}
