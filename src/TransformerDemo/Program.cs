Console.Error.WriteLine("usage: transformerDemo <host_gib> <device_gib> <seqlen> <model> [--data FILE]");
return 2;
