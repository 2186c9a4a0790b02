Console.Error.WriteLine("usage: dataflow <plan|show|verify|train|gradients> [options]");
return 2;
