namespace Dataflow.Training.Tests;

/// <summary>What a process that was killed does next: nothing.</summary>
internal sealed class KilledException : Exception;

/// <summary>
/// A disk on which a process dies at its N-th operation, a write half done: neither that nor any later operation happens, whatever clean-up
/// the program tries. It keeps an account of what was flushed (<see cref="Surviving"/>), so that a power cut at the same place can be acted
/// out.
/// </summary>
/// <param name="root">The folder that is written to; what is in it at the start is on the disk.</param>
/// <param name="lastOperation">Operations that succeed.</param>
internal sealed class MortalDisk(string root, int lastOperation = int.MaxValue) : IDisk
{
    private readonly DiskFolder surviving = DiskFolder.Of(root);

    /// <summary>Operations so far, the one that failed included.</summary>
    public int Operations { get; private set; }

    /// <summary>What happens at the end besides the exception: nothing, or the process really dies.</summary>
    public Action Killed { get; init; } = () => { };

    /// <summary>Set, that operation alone fails, with such an error, and the process goes on.</summary>
    public Func<Exception>? Fault { get; init; }

    /// <summary>A disk that says it has flushed and has not.</summary>
    public bool IgnoresFlushes { get; init; }

    /// <summary>What each operation was: "write", "flush file", "rename folder".</summary>
    public List<string> Log { get; } = [];

    /// <summary>Leaves in another folder what a power cut now would.</summary>
    public void Surviving(string folder, Random? random) => surviving.Materialise(folder, random);

    /// <inheritdoc/>
    public Stream CreateFile(string path)
    {
        Live("create file", path);
        var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0);
        return new Content(this, file, At(path).Create(Path.GetFileName(path)));
    }

    /// <inheritdoc/>
    public void FlushFile(Stream file)
    {
        Live("flush file", "");
        if (!IgnoresFlushes)
        {
            ((Content)file).Node.Flush();
        }
    }

    /// <inheritdoc/>
    public void RenameFile(string from, string to)
    {
        Live("rename file", to);
        File.Move(from, to, overwrite: true);
        At(from).Rename(Path.GetFileName(from), Path.GetFileName(to));
    }

    /// <inheritdoc/>
    public void DeleteFile(string path)
    {
        Live("delete file", path);
        File.Delete(path);
        At(path).Delete(Path.GetFileName(path));
    }

    /// <inheritdoc/>
    public void CreateFolder(string path)
    {
        Live("create folder", path);
        Directory.CreateDirectory(path);
        At(path).CreateFolder(Path.GetFileName(path));
    }

    /// <inheritdoc/>
    public void RenameFolder(string from, string to)
    {
        Live("rename folder", to);
        Directory.Move(from, to);
        At(from).Rename(Path.GetFileName(from), Path.GetFileName(to));
    }

    /// <inheritdoc/>
    public void DeleteFolder(string path)
    {
        Live("delete folder", path);
        Directory.Delete(path);
        At(path).Delete(Path.GetFileName(path));
    }

    /// <inheritdoc/>
    public void FlushFolder(string path)
    {
        Live("flush folder", path);
        if (!IgnoresFlushes)
        {
            (path == root ? surviving : At(path).Folder(Path.GetFileName(path))).Flush();
        }
    }

    private DiskFolder At(string path)
    {
        var folder = surviving;
        foreach (string part in Path.GetRelativePath(root, Path.GetDirectoryName(path)!).Split('/').Where(p => p != "."))
        {
            folder = folder.Folder(part);
        }

        return folder;
    }

    private void Live(string operation, string path)
    {
        if (Fault is not null && Operations == lastOperation)
        {
            Operations++;
            throw Fault();
        }

        if (Fault is null && Operations >= lastOperation)
        {
            Killed();
            throw new KilledException();
        }

        Operations++;
        Log.Add($"{operation} {Path.GetFileName(path)}".TrimEnd());
    }

    private sealed class Content(MortalDisk disk, FileStream file, DiskFile node) : Stream
    {
        public DiskFile Node => node;

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            try
            {
                disk.Live("write", file.Name);
            }
            catch (KilledException)
            {
                Append(buffer[..(buffer.Length / 2)]);
                throw;
            }

            Append(buffer);
        }

        protected override void Dispose(bool disposing)
        {
            file.Dispose();
            base.Dispose(disposing);
        }

        private void Append(ReadOnlySpan<byte> bytes)
        {
            if (file.CanWrite)
            {
                file.Write(bytes);
                node.Append(bytes);
            }
        }
    }
}
