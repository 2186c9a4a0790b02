namespace Dataflow.GpuCheck;

/// <summary>Lines for people, on the output and in a file beside the results: a call that is killed leaves what it had said.</summary>
internal sealed class CheckLog(string file)
{
    private const int LongestLine = 2000;
    private const long MostBytes = 4L << 20; // it has to travel, and a program in a loop says much
    private long written = File.Exists(file) ? new FileInfo(file).Length : 0;

    /// <summary>Says one.</summary>
    public void Line(string line)
    {
        line = line.Length > LongestLine ? line[..LongestLine] + "..." : line;
        Keep(line); // first, so that nothing was seen that is not there
        Console.Out.WriteLine(line);
        Console.Out.Flush();
    }

    private void Keep(string line)
    {
        bool full = written > MostBytes;
        written += System.Text.Encoding.UTF8.GetByteCount(line) + 1;
        if (full)
        {
            return;
        }

        try
        {
            File.AppendAllText(file, written > MostBytes ? "(what follows is on the output alone)\n" : line + "\n");
        }
        catch (IOException)
        {
            // Results are kept or refused by themselves; what was said is on the output.
        }
    }
}
