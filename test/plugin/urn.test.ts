import { parseUrn } from "../../provider/plugin/urn";

test.each([
  [
    "urn:pulumi:production::audit-trail::neon-bemi:index:BemiAuditTrail$neon-bemi:index:Publication::orders-publication",
    {
      stack: "production",
      project: "audit-trail",
      type: "neon-bemi:index:Publication",
      name: "orders-publication",
    },
  ],
  [
    "urn:pulumi:dev::shop::neon-bemi:index:IpAllow::a::b",
    { stack: "dev", project: "shop", type: "neon-bemi:index:IpAllow", name: "a::b" },
  ],
])("takes %s apart", (urn, parts) => {
  expect(parseUrn(urn)).toEqual(parts);
});
