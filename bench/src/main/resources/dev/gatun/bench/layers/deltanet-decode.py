def forward(q: Tensor, k: Tensor, v: Tensor, beta: Tensor, g: Tensor, s: Tensor) -> Tuple[Tensor, Tensor]:
    s = s * torch.exp(g).unsqueeze(-1)
    new = (v - torch.matmul(k, s)) * beta.unsqueeze(-1)
    s = s + torch.matmul(k.transpose(-1, -2), new)
    return (torch.matmul(q, s) * (float(q.size(3)) ** -0.5), s)
