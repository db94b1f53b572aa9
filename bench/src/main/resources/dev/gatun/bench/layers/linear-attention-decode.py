def forward(q: Tensor, k: Tensor, v: Tensor, s: Tensor, z: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
    q = torch.elu(q) + 1.0
    k = torch.elu(k) + 1.0
    s = s + torch.matmul(k.transpose(-1, -2), v)
    z = z + k
    y = torch.matmul(q, s) / (torch.matmul(q, z.transpose(-1, -2)) + 1e-6)
    return (y, s, z)
