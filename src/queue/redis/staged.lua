-- The generation of the line that grows beside the one in use; nil if there is none.

return call('HGET', QUEUE, 'staged')
