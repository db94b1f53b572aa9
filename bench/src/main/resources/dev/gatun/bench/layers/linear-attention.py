# Normalised linear attention in chunks of 64, all chunks at once: the sums before each are a running sum.
def forward(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    B, H, T, D = q.size(0), q.size(1), q.size(2), q.size(3)
    C = 64
    shape = [B, H, T // C, C, D]
    q = (torch.elu(q) + 1.0).reshape(shape)
    k = (torch.elu(k) + 1.0).reshape(shape)
    v = v.reshape(shape)
    kv = torch.matmul(k.transpose(-1, -2), v)
    s = torch.cumsum(kv, 2) - kv
    ks = k.sum([3], True)
    z = torch.cumsum(ks, 2) - ks
    a = torch.matmul(q, k.transpose(-1, -2)).tril()
    num = torch.matmul(a, v) + torch.matmul(q, s)
    den = a.sum([-1], True) + torch.matmul(q, z.transpose(-1, -2)) + 1e-6
    return (num / den).reshape([B, H, T, D])
