import pulumi
import pulumi_neon_bemi as neon_bemi

trail = neon_bemi.BemiAuditTrail(
    "orders",
    project_id="cool-darkness-123456",
    database="neondb",
    tables=["public.orders", "public.customers"],
)
pulumi.export("connection", trail.connection)
