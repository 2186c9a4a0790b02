namespace Dataflow.Training;

/// <summary>
/// What is done to the disk when files are written, one operation a call: the seam at which tests count operations, stop at any of them
/// as a killed process does, and forget what was not flushed as a power cut does.
/// </summary>
internal interface IDisk
{
    /// <summary>A new file to write to, that no one else may open. Fails if the name is taken.</summary>
    Stream CreateFile(string path);

    /// <summary>What was written to a file of <see cref="CreateFile"/> reaches the disk.</summary>
    void FlushFile(Stream file);

    /// <summary>Gives a file another name in its folder; a file of that name is replaced.</summary>
    void RenameFile(string from, string to);

    /// <summary>Removes a file.</summary>
    void DeleteFile(string path);

    /// <summary>Makes a folder below one that exists; nothing if it is there.</summary>
    void CreateFolder(string path);

    /// <summary>Gives a folder another name in the folder that holds it. Fails if the name is taken.</summary>
    void RenameFolder(string from, string to);

    /// <summary>Removes an empty folder.</summary>
    void DeleteFolder(string path);

    /// <summary>The names in a folder (new, changed and removed ones) reach the disk.</summary>
    void FlushFolder(string path);
}
