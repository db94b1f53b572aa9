def forward(q: Tensor, k: Tensor, v: Tensor, i: Tensor, f: Tensor, c: Tensor, n: Tensor, m: Tensor) -> Tuple[Tensor, Tensor, Tensor, Tensor]:
    new = torch.maximum(f + m, i)
    fade = torch.exp(f + m - new).unsqueeze(-1)
    k = k * torch.exp(i - new).unsqueeze(-1)
    c = c * fade + torch.matmul(k.transpose(-1, -2), v)
    n = n * fade + k
    q = q * (float(q.size(3)) ** -0.5)
    den = torch.maximum(torch.abs(torch.matmul(q, n.transpose(-1, -2))), torch.exp(-new).unsqueeze(-1))
    return (torch.matmul(q, c) / den, c, n, new)
